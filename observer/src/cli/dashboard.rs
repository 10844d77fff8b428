//! The options of the dashboard, and the settings that they give with the configuration file.

use std::path::PathBuf;

use clap::Args;

use super::values::{MouseChoice, ThemeChoice, file};
use crate::config::{self, ConfigError, Source};
use observer_tui::settings::Settings;

/// Heading of the options in the help.
const DASHBOARD: &str = "Dashboard (these options win over the configuration file)";

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DashboardArgs {
    /// Draw with ASCII characters only, regardless of LANG
    #[arg(long, help_heading = DASHBOARD)]
    ascii: bool,
    /// Colours; this option wins over `NO_COLOR` as well
    #[arg(long, help_heading = DASHBOARD, value_name = "THEME", value_enum)]
    theme: Option<ThemeChoice>,
    /// Whether the dashboard gets the mouse, or the terminal, which selects text with it
    #[arg(long, help_heading = DASHBOARD, value_name = "WHO", value_enum)]
    mouse: Option<MouseChoice>,
    /// Read this configuration file instead of that of the user (observer config)
    #[arg(long, help_heading = DASHBOARD, value_name = "FILE", value_parser = file(), conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Read no configuration file
    #[arg(long, help_heading = DASHBOARD)]
    no_config: bool,
}

impl DashboardArgs {
    /// The settings of the file with these options over them.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let source = match &self.config {
            Some(path) => Source::File(path),
            None if self.no_config => Source::Nothing,
            None => Source::Default,
        };
        Ok(self.over(config::settings(source)?))
    }

    fn over(&self, file: Settings) -> Settings {
        Settings {
            ascii: self.ascii || file.ascii,
            palette: self.theme.map_or(file.palette, Into::into),
            colours_despite_no_color: self.theme.is_some(),
            mouse: self.mouse.map_or(file.mouse, Into::into),
            ..file
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_tui::theme::Palette;

    #[test]
    fn options_win_over_the_file() {
        let file = Settings { palette: Palette::None, mouse: false, ascii: true, ..Settings::default() };
        assert_eq!(DashboardArgs::default().over(file.clone()), file);
        let args = DashboardArgs {
            theme: Some(ThemeChoice::HighContrast),
            mouse: Some(MouseChoice::On),
            ..DashboardArgs::default()
        };
        let settings = args.over(file);
        assert_eq!((settings.palette, settings.mouse), (Palette::HighContrast, true));
        assert!(settings.colours_despite_no_color);
        let ascii = DashboardArgs { ascii: true, ..DashboardArgs::default() }.over(Settings::default());
        assert!(ascii.ascii && !ascii.colours_despite_no_color);
    }
}
