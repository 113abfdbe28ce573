//! The proleptic Gregorian calendar.

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

/// Days in 400 years.
const ERA: i64 = 146_097;

impl Date {
    /// The day so many days after 1970-01-01.
    pub(super) const fn from_days(days: i64) -> Self {
        // Years are counted from March here, so that the leap day is the last one.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(ERA);
        let of_era = shifted.rem_euclid(ERA);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }

    /// How many days after 1970-01-01 it is.
    pub(super) const fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let of_year = (153 * shifted_month + 2) / 5 + self.day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        era * ERA + of_era - 719_468
    }

    /// 0 for the first of January.
    pub(super) const fn day_of_year(self) -> i64 {
        self.days() - Self { year: self.year, month: 1, day: 1 }.days()
    }

    /// 0 for Sunday.
    pub(super) const fn day_of_week(self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// Whether there is such a day.
    pub(super) fn exists(self) -> bool {
        (1..=12).contains(&self.month) && self.day >= 1 && Self::from_days(self.days()) == self
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn days_and_dates_are_the_same_thing_over_ten_thousand_years() {
        for days in (-719_162..=2_932_896).step_by(97) {
            assert_eq!(Date::from_days(days).days(), days);
        }
        assert_eq!(Date { year: 1970, month: 1, day: 1 }.days(), 0);
        assert_eq!(Date { year: 1, month: 1, day: 1 }.days(), -719_162);
        assert_eq!(Date { year: 9999, month: 12, day: 31 }.days(), 2_932_896);
    }

    #[test]
    fn knows_leap_days() {
        assert!(Date { year: 2024, month: 2, day: 29 }.exists());
        assert!(!Date { year: 2023, month: 2, day: 29 }.exists());
        assert!(!Date { year: 1900, month: 2, day: 29 }.exists());
        assert!(!Date { year: 2024, month: 13, day: 1 }.exists());
        assert_eq!(Date { year: 2024, month: 12, day: 31 }.day_of_year(), 365);
        assert_eq!(Date { year: 2009, month: 2, day: 13 }.day_of_week(), 5);
    }
}
