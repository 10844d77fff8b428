//! Why a candidate is not hooked, and how several such reasons are told in one line.

/// Why a candidate is not hooked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection<'a> {
    /// It is there and fits, and nothing may be hooked on it.
    Refused(String),
    /// It is there, but not as expected.
    Unfit(String),
    /// It is not there; these copies of it are.
    Absent { symbol: &'static str, copies: &'a [String] },
}

impl Rejection<'_> {
    /// All reasons in one line. Of a function that is there, those reasons are told that stand at the end: that it does
    /// not fit one candidate means nothing where it fits another. Of functions that are not there, nothing is told
    /// unless none is, or only a copy is.
    pub(super) fn join(reasons: &[Rejection<'_>]) -> String {
        let pick = |pick: fn(&Rejection<'_>) -> Option<String>| reasons.iter().filter_map(pick).collect::<Vec<_>>();
        let mut told = pick(|reason| match reason {
            Rejection::Refused(why) => Some(why.clone()),
            _ => None,
        });
        if told.is_empty() {
            told = pick(|reason| match reason {
                Rejection::Unfit(why) => Some(why.clone()),
                _ => None,
            });
        }
        told.extend(pick(|reason| match reason {
            Rejection::Absent { symbol, copies } if !copies.is_empty() => {
                Some(format!("of {symbol} the compiler left only {}, which BTF does not describe", copies.join(", ")))
            }
            _ => None,
        }));
        if told.is_empty() {
            let mut names = pick(|reason| match reason {
                Rejection::Absent { symbol, .. } => Some((*symbol).to_owned()),
                _ => None,
            });
            names.dedup();
            return format!("no function {}", names.join(" or "));
        }
        told.dedup();
        told.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_nearest_to_a_hook_is_told() {
        let (refused, unfit) = (Rejection::Refused("a: refused".into()), Rejection::Unfit("a is now odd".into()));
        let absent = |symbol| Rejection::Absent { symbol, copies: &[] };
        assert_eq!(Rejection::join(&[unfit.clone(), refused, absent("b")]), "a: refused");
        assert_eq!(Rejection::join(&[unfit.clone(), unfit, absent("b")]), "a is now odd");
        assert_eq!(Rejection::join(&[absent("b"), absent("c"), absent("c")]), "no function b or c");
        let copies = ["b.isra.0".to_owned()];
        let copied = Rejection::Absent { symbol: "b", copies: &copies };
        assert_eq!(
            Rejection::join(&[copied, absent("c")]),
            "of b the compiler left only b.isra.0, which BTF does not describe"
        );
    }
}
