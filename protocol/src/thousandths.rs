//! Amounts in thousandths: how decimal numbers are rounded to them.

/// The largest amount.
pub const AMOUNT_MAX: u64 = 1_000_000_000_000_000;

/// A number of 0 to [`AMOUNT_MAX`] in thousandths. Its shortest decimal form is rounded, half to
/// even, so that every language rounds alike: 1.0005 is 1 and 1.0015 is 1.002.
pub fn of_float(number: f64) -> Option<u64> {
    if !(0.0..=AMOUNT_MAX as f64).contains(&number) {
        return None;
    }
    let text = number.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let kept = &fraction[..fraction.len().min(3)];
    let dropped = fraction.get(3..).unwrap_or_default();
    let milli = digits(whole) * 1000 + digits(kept) * 10_u64.pow(3 - kept.len() as u32);
    let rounds_up = match dropped.as_bytes() {
        [b'5', rest @ ..] if rest.iter().all(|digit| *digit == b'0') => !milli.is_multiple_of(2),
        [first, ..] => *first >= b'5',
        [] => false,
    };
    Some(milli + u64::from(rounds_up))
}

#[cfg(test)]
mod tests {
    use super::{AMOUNT_MAX, of_float};

    #[test]
    fn halves_go_to_even_and_what_is_no_half_to_the_nearest() {
        let cases = [
            (0.0005, 0),
            (0.0015, 2),
            (1.0005, 1_000),
            (1.0015, 1_002),
            (2.0025, 2_002),
            (2.5, 2_500),
            (0.00050000001, 1),
            (0.33333, 333),
            (5e-324, 0),
            (-0.0, 0),
            (1e15, AMOUNT_MAX * 1000),
        ];
        for (number, milli) in cases {
            assert_eq!(of_float(number), Some(milli), "{number}");
        }
        for number in [-0.001, 1.1e15, f64::NAN, f64::INFINITY] {
            assert_eq!(of_float(number), None, "{number}");
        }
    }

    #[test]
    fn every_half_of_a_thousandth_goes_to_the_even_one() {
        for milli in 0..20_000_u64 {
            let half: f64 = format!("{}.{:03}5", milli / 1000, milli % 1000).parse().expect("a number");
            assert_eq!(of_float(half), Some(milli + milli % 2), "{half}");
        }
    }
}
