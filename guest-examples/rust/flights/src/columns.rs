//! Finds the columns that the demo needs in a CSV's header and reads them from a line.

/// Positions of the columns that are read, and how many there are.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    hour: usize,
    delay: usize,
    count: usize,
}

impl Columns {
    pub(crate) fn of_header(header: &str) -> Result<Self, String> {
        let names: Vec<&str> = header.trim_end().split(',').collect();
        let find = |name: &str| {
            names.iter().position(|found| *found == name).ok_or_else(|| format!("the header has no column `{name}`: {header}"))
        };
        Ok(Self { hour: find("hour")?, delay: find("dep_delay")?, count: names.len() })
    }

    /// The scheduled hour and the delay of a line; none when the flight did not depart.
    ///
    /// The file has no quoted fields; a line with another number of fields is refused.
    pub(crate) fn read(self, line: &[u8]) -> Result<Option<(u32, i64)>, String> {
        let mut hour: &[u8] = b"";
        let mut delay: &[u8] = b"";
        let mut count = 0;
        for (i, field) in line.split(|byte| *byte == b',').enumerate() {
            if i == self.hour {
                hour = field;
            } else if i == self.delay {
                delay = field;
            }
            count += 1;
        }
        if count != self.count {
            return Err(format!("{count} fields where the header has {}: {}", self.count, String::from_utf8_lossy(line)));
        }
        if delay.is_empty() || delay == b"NA" {
            return Ok(None);
        }
        let refusal = |name: &str, field: &[u8]| format!("`{name}` is not a whole number: {}", String::from_utf8_lossy(field));
        let hour_read = number(hour).and_then(|hour| u32::try_from(hour).ok()).filter(|hour| *hour < 24);
        let hour = hour_read.ok_or_else(|| refusal("hour", hour))?;
        let delay = number(delay).ok_or_else(|| refusal("dep_delay", delay))?;
        Ok(Some((hour, delay)))
    }
}

fn number(field: &[u8]) -> Option<i64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}
