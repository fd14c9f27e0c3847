//! The table and the bar plot.

use std::fmt::Write;

use crate::sums::mean;
use crate::{HourSum, Summary};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 36.0;

/// One line an hour: hour, flights, mean delay with four decimals.
pub(crate) fn table(sums: &[HourSum]) -> String {
    sums.iter().map(|sum| format!("{:02} {:6} {:8.4}\n", sum.hour, sum.flights, mean(sum))).collect()
}

pub(crate) fn svg(sums: &[HourSum], all: &Summary) -> String {
    let highest = sums.iter().map(mean).fold(1.0, f64::max);
    let lowest = sums.iter().map(mean).fold(0.0, f64::min);
    let scale = (HEIGHT - TOP - BOTTOM) / (highest - lowest);
    let y = |value: f64| TOP + (highest - value) * scale;
    let step = (WIDTH - LEFT - 12.0) / 24.0;

    let mut svg = String::new();
    let mut put = |part: std::fmt::Arguments<'_>| svg.write_fmt(part).expect("a string takes all that is written");
    put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">Mean departure delay by scheduled hour, in minutes ({} flights)</text>\n",
        all.flights
    ));
    for sum in sums {
        let mean = mean(sum);
        let x = LEFT + f64::from(sum.hour) * step;
        let (from, to) = (y(mean.max(0.0)), y(mean.min(0.0)));
        put(format_args!(
            "<rect x=\"{:.1}\" y=\"{from:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#4477aa\"><title>{}:00 {mean:.4} min, {} flights</title></rect>\n",
            x + 2.0,
            step - 4.0,
            to - from,
            sum.hour,
            sum.flights
        ));
        put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            x + step / 2.0,
            HEIGHT - 14.0,
            sum.hour
        ));
    }
    for (value, colour, dash) in [(0.0, "#000", "none"), (all.mean, "#cc3311", "5 4")] {
        put(format_args!(
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{value:.1}</text>\n",
            WIDTH - 12.0,
            LEFT - 4.0,
            y(value) + 4.0,
            at = y(value),
        ));
    }
    put(format_args!("</svg>\n"));
    svg
}
