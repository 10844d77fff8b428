//! A line that the user types and ends with Enter. What cannot be understood is explained beside it, and stays.

use super::{App, Effect, keys::Key};
use observer_observation::Clocks;
use observer_record::player::{Move, Target};
use observer_report::{
    selection::{Bound, Moment, parse},
    units,
    words::{query_error, wrong_value},
};

/// Longest text, characters.
const LONGEST: usize = 64;

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A time of the replay to jump to.
    Time,
    /// Rows of the table to find.
    Rows,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub asked: Asked,
    pub text: String,
    /// Why the text cannot be used.
    pub error: Option<String>,
}

impl App {
    pub(super) fn ask(&mut self, asked: Asked) {
        self.prompt = Some(Prompt { asked, text: String::new(), error: None });
    }

    pub(super) fn type_prompt(&mut self, key: Key) -> Option<Effect> {
        let prompt = self.prompt.as_mut()?;
        match key {
            Key::Enter => return self.answer(),
            Key::Esc => self.prompt = None,
            Key::Ctrl('c') => return Some(Effect::Quit),
            key => {
                if edit(&mut prompt.text, key, LONGEST) {
                    prompt.error = None;
                }
            }
        }
        None
    }

    /// Does what the text asks for, or keeps it with an explanation.
    fn answer(&mut self) -> Option<Effect> {
        let Prompt { asked, text, .. } = self.prompt.take()?;
        let done = match asked {
            Asked::Time => self.jump(text.trim()).map(Some),
            Asked::Rows => self.search(text.trim()).map(|()| None).map_err(|error| query_error(&error)),
        };
        match done {
            Ok(effect) => effect,
            Err(error) => {
                self.prompt = Some(Prompt { asked, text, error: Some(error) });
                None
            }
        }
    }

    fn jump(&mut self, text: &str) -> Result<Effect, String> {
        let start = self.live.model.wall_clock.start();
        let moment = parse::moment(text).map_err(|wrong| wrong_value(&wrong))?;
        let length = self.live.model.transport.map_or(0, |transport| transport.length_ns);
        match moment {
            Moment::Offset(ns) if length > 0 && ns > length => {
                return Err(format!("the recording ends {} after its start", units::duration(length)));
            }
            Moment::TimeOfDay(_) | Moment::Unix(_) if start.realtime_ns == 0 => {
                return Err("this recording has no wall clock: give an offset from the start, e.g. 53s".to_owned());
            }
            _ => {}
        }
        self.jumping = Some(text.to_owned());
        Ok(Effect::Transport(Move::To(target(moment, start))))
    }
}

/// Changes a text by a key. False: the key does not edit.
pub(super) fn edit(text: &mut String, key: Key, longest: usize) -> bool {
    match key {
        Key::Ctrl('u') => text.clear(),
        Key::Backspace => {
            text.pop();
        }
        Key::Char(ch) if text.chars().count() < longest => text.push(ch),
        _ => return false,
    }
    true
}

/// Where a replay seeks for a time. `start`: the clocks at the start of the recording.
pub fn target(moment: Moment, start: Clocks) -> Target {
    match moment.bound(start) {
        Bound::Monotonic(at) => Target::Offset(at.saturating_sub(start.monotonic_ns)),
        Bound::Unix(ns) => Target::Unix(ns),
    }
}
