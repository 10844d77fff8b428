//! Where the player is to go. Keys come faster than a seek takes, and a step by a share of the length must wait until the
//! length is known: what is asked for is kept in order, and what adds up is added up, so that no key is lost.

use std::collections::VecDeque;

use super::Target;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Leg {
    To(Target),
    /// By a share of the length.
    By(f64),
    /// Forward, a number of findings.
    Next(usize),
    /// Back, a number of findings.
    Previous(usize),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Route(VecDeque<Leg>);

impl Route {
    pub(super) fn add(&mut self, leg: Leg) {
        match (self.0.back_mut(), leg) {
            // Steps in one direction add up, also where the first or the last position limits them.
            (Some(Leg::By(sum)), Leg::By(by)) if (*sum < 0.0) == (by < 0.0) => *sum += by,
            (Some(Leg::Next(sum)), Leg::Next(more)) | (Some(Leg::Previous(sum)), Leg::Previous(more)) => *sum += more,
            (_, Leg::To(_)) => {
                // Whatever comes before it has no effect.
                self.0.clear();
                self.0.push_back(leg);
            }
            _ => self.0.push_back(leg),
        }
    }

    pub(super) fn next(&self) -> Option<Leg> {
        self.0.front().copied()
    }

    /// The first leg has become the goal.
    pub(super) fn leave(&mut self) {
        self.0.pop_front();
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_one_direction_add_up_and_others_stay_in_order() {
        let mut route = Route::default();
        let steps = [Leg::By(0.25), Leg::By(0.5), Leg::By(-0.25), Leg::Next(1), Leg::Next(1), Leg::Previous(1)];
        for leg in steps {
            route.add(leg);
        }
        assert_eq!(route.0, [Leg::By(0.75), Leg::By(-0.25), Leg::Next(2), Leg::Previous(1)]);
        route.add(Leg::To(Target::Offset(0)));
        assert_eq!(route.0, [Leg::To(Target::Offset(0))]);
    }
}
