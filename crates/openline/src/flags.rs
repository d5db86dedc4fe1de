//! [`Flags`]: the flags of `serve`, made from the table of the configuration's keys.

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use openline_server::config::{Config, Key};

/// The keys that were given as flags, with their texts; a list may stand there several times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(pub(crate) Vec<(String, String)>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        Config::keys().fold(command, |command, key| command.arg(argument(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for path in Config::keys().map(Key::path) {
            let texts = matches.get_many::<String>(&path).into_iter().flatten();
            self.0.extend(texts.map(|text| (path.clone(), text.clone())));
        }
        Ok(())
    }
}

fn argument(key: &Key) -> Arg {
    let is_common = key.section().is_empty();
    let argument = Arg::new(key.path())
        .long(key.flag())
        .value_name(key.placeholder())
        .help(help(key))
        .hide_short_help(!is_common)
        .action(if key.is_list() { ArgAction::Append } else { ArgAction::Set });
    // A switch alone means true; what follows it is not its value.
    let argument = if key.is_switch() {
        argument.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        argument
    };
    if is_common { argument } else { argument.help_heading(format!("[{}]", key.section())) }
}

fn help(key: &Key) -> StyledStr {
    let mut help = key.meaning().replace('`', "");
    let (with, without) = (shown(key.default()), shown(key.default_without_file()));
    let default = match (with, without) {
        (with, without) if with == without => without.to_owned(),
        (with, without) => format!("{without}, with a file {with}"),
    };
    if !default.is_empty() {
        help.push_str(&format!(" [default: {default}]"));
    }
    help.push_str(&format!(" [env: {}]", key.variable()));
    help.into()
}

/// A default as a flag would have it; empty if it is nothing.
fn shown(toml: &str) -> &str {
    if toml == "[]" { "" } else { toml.trim_matches('"') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Vec<(String, String)> {
        let command = Flags::augment_args(Command::new("serve")).no_binary_name(true);
        Flags::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap().0
    }

    fn pair(path: &str, text: &str) -> (String, String) {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn every_key_is_a_flag_and_its_help_names_the_variable() {
        let command = Flags::augment_args(Command::new("serve"));
        for key in Config::keys() {
            let argument = command.get_arguments().find(|a| a.get_long() == Some(&key.flag()));
            let help = argument.unwrap().get_help().unwrap().to_string();
            assert!(help.contains(&format!("[env: {}]", key.variable())), "{help}");
        }
    }

    #[test]
    fn nothing_is_set_that_is_not_given() {
        assert_eq!(parsed(&[]), []);
    }

    #[test]
    fn a_switch_alone_is_true_and_a_list_may_be_repeated() {
        let arguments = [
            "--ephemeral",
            "--demo=false",
            "--http-allowed-origins",
            "a",
            "--http-allowed-origins=b",
        ];
        assert_eq!(
            parsed(&arguments),
            [
                pair("ephemeral", "true"),
                pair("demo", "false"),
                pair("http.allowed_origins", "a"),
                pair("http.allowed_origins", "b"),
            ]
        );
    }
}
