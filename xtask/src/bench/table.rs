//! Medians of ratios within a round, as a Markdown table.

use std::collections::BTreeMap;

use super::measure::Row;

/// Every measurement by row and contestant, in the order of rounds.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<(&'static str, &'static str), Vec<f64>>);

impl Table {
    pub(super) fn add(&mut self, row: &Row, contestant: &'static str, value: f64) {
        self.0.entry((row.name, contestant)).or_default().push(value);
    }

    fn values(&self, row: &Row, contestant: &'static str) -> &[f64] {
        self.0.get(&(row.name, contestant)).map_or(&[], Vec::as_slice)
    }

    /// How often faster `one` is than `other`; times count the other way round.
    fn ratio(&self, row: &Row, one: &'static str, other: &'static str) -> f64 {
        let pairs = self.values(row, one).iter().zip(self.values(row, other));
        median(pairs.map(|(one, other)| if row.is_time() { other / one } else { one / other }).collect())
    }

    pub(super) fn print(&self, rows: &[&Row]) {
        println!(
            "| | relay / direct | pgbouncer / direct | gateway / direct | gateway / relay | gateway / pgbouncer |"
        );
        println!("|---|---|---|---|---|---|");
        for row in rows {
            let cells = [
                ("relay", "direct"),
                ("pgbouncer", "direct"),
                ("gateway", "direct"),
                ("gateway", "relay"),
                ("gateway", "pgbouncer"),
            ]
            .map(|(one, other)| format!("{:.2}", self.ratio(row, one, other)));
            println!("| {} | {} |", row.name, cells.join(" | "));
        }
        println!();
        for row in rows {
            let direct = median(self.values(row, "direct").to_vec());
            println!("{}: direct {direct:.1}{}", row.name, if row.is_time() { " us" } else { " a second" });
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
