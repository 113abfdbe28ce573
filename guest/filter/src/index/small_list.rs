//! Short lists.

/// A list that has one element as a rule, and then takes no memory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SmallList<T> {
    None,
    One(T),
    Many(Vec<T>),
}

impl<T: Copy + PartialEq> SmallList<T> {
    #[inline]
    pub(super) fn all(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::Many(all) => all,
        }
    }

    pub(super) fn push(&mut self, element: T) {
        match self {
            Self::None => *self = Self::One(element),
            Self::One(first) => *self = Self::Many(vec![*first, element]),
            Self::Many(all) => all.push(element),
        }
    }

    /// Removes an element; the last one takes its place.
    pub(super) fn remove(&mut self, element: T) {
        match self {
            Self::One(only) if *only == element => *self = Self::None,
            Self::Many(all) => {
                if let Some(place) = all.iter().position(|other| *other == element) {
                    all.swap_remove(place);
                }
                if let [only] = **all {
                    *self = Self::One(only);
                } else if all.capacity() > 64 && all.len() * 4 < all.capacity() {
                    all.shrink_to(all.len() * 2);
                }
            }
            Self::None | Self::One(_) => {}
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_size(&self) -> usize {
        if let Self::Many(all) = self { all.capacity() * size_of::<T>() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::SmallList;

    #[test]
    fn takes_memory_only_for_several_elements() {
        let mut few = SmallList::None;
        for number in 0..100 {
            few.push(number);
        }
        assert!(few.heap_size() >= 100 * size_of::<i32>());
        for number in 0..99 {
            few.remove(number);
            few.remove(1000);
            assert_eq!(few.all().len(), 99 - number as usize);
        }
        assert_eq!((few.all(), few.heap_size()), (&[99][..], 0));
        few.remove(99);
        assert_eq!(few, SmallList::None);
    }
}
