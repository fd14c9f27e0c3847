//! The smallest useful guest: arithmetic on integers and floats, as functions of the world itself.

wit_bindgen::generate!({ path: "../../../wit/examples", world: "calc" });

struct Calc;

impl Guest for Calc {
    fn add(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    fn mul(a: i64, b: i64) -> i64 {
        a.wrapping_mul(b)
    }

    fn neg(a: i64) -> i64 {
        a.wrapping_neg()
    }

    fn div(a: i64, b: i64) -> Result<i64, String> {
        a.checked_div(b).ok_or_else(|| refusal(a, b))
    }

    fn sum(xs: Vec<i64>) -> i64 {
        xs.iter().fold(0, |total, x| total.wrapping_add(*x))
    }

    fn sum_f64(xs: Vec<f64>) -> f64 {
        xs.iter().sum()
    }

    fn div_rem(a: i64, b: i64) -> Result<(i64, i64), String> {
        match (a.checked_div(b), a.checked_rem(b)) {
            (Some(quotient), Some(remainder)) => Ok((quotient, remainder)),
            (None, _) | (_, None) => Err(refusal(a, b)),
        }
    }

    fn range(start: i64, len: u32) -> Vec<i64> {
        (0..i64::from(len)).map(|i| start.wrapping_add(i)).collect()
    }

    fn noop() {}
}

fn refusal(a: i64, b: i64) -> String {
    if b == 0 { format!("cannot divide {a} by zero") } else { format!("{a} / {b} does not fit") }
}

export!(Calc);
