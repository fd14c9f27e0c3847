//! Finds names of fields, cases and flags in lists that a stranger chose: by halving, so that long lists cost no more than
//! their logarithm for each value.

/// Positions of a list's items in the order of their names; empty for a short list.
#[derive(Clone, Debug, Default)]
pub struct NameOrder(Box<[u32]>);

impl NameOrder {
    /// Lists of so many names or fewer are looked through one by one, and every order of them is the same.
    pub(crate) const FEW: usize = 16;

    /// Sorts a list of at most `u32::MAX` items.
    pub fn new<T>(list: &[T], name_of: impl Fn(&T) -> &String) -> NameOrder {
        if list.len() <= NameOrder::FEW {
            return NameOrder(Box::default());
        }
        let mut order: Box<[u32]> = (0..list.len() as u32).collect();
        order.sort_by(|a, b| name_of(&list[*a as usize]).cmp(name_of(&list[*b as usize])));
        NameOrder(order)
    }

    /// The position of a name in the list that was sorted.
    pub fn find<T>(&self, list: &[T], name_of: impl Fn(&T) -> &String, name: &str) -> Option<usize> {
        if list.len() <= NameOrder::FEW {
            return list.iter().position(|item| name_of(item) == name);
        }
        let found = self.0.binary_search_by(|at| name_of(&list[*at as usize]).as_str().cmp(name)).ok()?;
        Some(self.0[found] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::NameOrder;

    #[test]
    fn every_name_is_found_where_it_stands_and_no_other() {
        for len in [0, 1, 15, 16, 17, 100, 4_096] {
            // Neither in order nor in reverse.
            let list: Vec<String> = (0..len).map(|at: usize| format!("n{}", at * 7_919 % 10_007)).collect();
            let order = NameOrder::new(&list, |name| name);
            for (at, name) in list.iter().enumerate() {
                assert_eq!(order.find(&list, |name| name, name), Some(at));
            }
            for other in ["", "n", "zzz"] {
                assert_eq!(order.find(&list, |name| name, other), None);
            }
        }
    }
}
