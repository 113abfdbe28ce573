//! A list that grows in place.

/// How many elements one block has, as a power of two.
const BITS: u32 = 10;
const BLOCK: usize = 1 << BITS;

/// Elements by their position, in blocks: growing moves none of them and leaves no room unused but in the last block. A
/// `Vec` of a hundred thousand elements takes up to twice their size, and three times while it grows.
#[derive(Debug)]
pub(crate) struct Blocks<T> {
    /// All but the last are full; the first one grows like any `Vec`, so that small lists stay small.
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<T> Blocks<T> {
    pub(super) fn len(&self) -> usize {
        let last = self.blocks.last().map_or(0, Vec::len);
        (self.blocks.len().saturating_sub(1) << BITS) + last
    }

    #[inline(always)]
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.blocks.get(place >> BITS)?.get(place & (BLOCK - 1))
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.blocks.get_mut(place >> BITS)?.get_mut(place & (BLOCK - 1))
    }

    pub(super) fn push(&mut self, element: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(element),
            None => self.blocks.push(vec![element]),
            Some(_) => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(element);
                self.blocks.push(block);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.blocks.iter_mut().flatten()
    }

    /// Bytes on the heap, without what the elements have there.
    pub(super) fn heap_size(&self) -> usize {
        let elements: usize = self.blocks.iter().map(Vec::capacity).sum();
        self.blocks.capacity() * size_of::<Vec<T>>() + elements * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Blocks};

    #[test]
    fn keeps_every_element_at_its_place() {
        let mut blocks = Blocks::default();
        let count = 3 * BLOCK + 5;
        for number in 0..count {
            assert_eq!(blocks.len(), number);
            blocks.push(number);
        }
        *blocks.get_mut(BLOCK).unwrap() = 7;
        assert_eq!(blocks.get(BLOCK), Some(&7));
        assert_eq!(blocks.get(count - 1), Some(&(count - 1)));
        assert_eq!(blocks.get(count), None);
        assert_eq!(blocks.iter().count(), count);
        assert!(blocks.heap_size() < (count + BLOCK) * size_of::<usize>() + 1000);
    }
}
