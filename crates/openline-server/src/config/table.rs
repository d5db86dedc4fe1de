//! [`Key`], [`Table`], and the macro that makes both, and the struct, from one description.

use std::fmt;

use super::value::{Complaint, Input, Value};

/// One key of the configuration: how it is written, and what it means.
#[derive(Clone, Copy)]
pub struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) default: &'static str,
    pub(super) default_without_file: Option<&'static str>,
    pub(super) range: Option<(&'static str, &'static str)>,
    pub(super) kind: fn() -> String,
    pub(super) expected: fn() -> String,
    pub(super) is_list: bool,
    pub(super) is_switch: bool,
    pub(super) change: Change,
}

/// When another value of a key comes into force while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// With a reload, for all that happens from then on.
    Live,
    /// With a reload, for what begins after it: new lines, new files.
    LiveForNew(&'static str),
    /// When the server is started again. What the description of a key says nothing about is so.
    Restart,
}

impl Key {
    /// The table that it stands in; empty for the keys before the first table.
    pub fn section(&self) -> &'static str {
        self.section
    }

    /// The name with its table, as in `http.allowed_origins`.
    pub fn path(&self) -> String {
        join(self.section, self.name, ".")
    }

    /// The environment variable, as in `OPENLINE_HTTP_ALLOWED_ORIGINS`.
    pub fn variable(&self) -> String {
        format!("OPENLINE_{}", join(self.section, self.name, "_").to_uppercase())
    }

    /// The flag without its dashes, as in `http-allowed-origins`.
    pub fn flag(&self) -> String {
        join(self.section, self.name, "-").replace('_', "-")
    }

    /// What it does, in one line or more.
    pub fn meaning(&self) -> String {
        self.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// What a value looks like, as in `a duration, as in "30s"`.
    pub fn expected(&self) -> String {
        let expected = (self.expected)();
        match self.range {
            Some((min, max)) => format!("{expected}, from {min} to {max}"),
            None => expected,
        }
    }

    /// What stands for a value in help, as in `DURATION`.
    pub fn placeholder(&self) -> String {
        (self.kind)()
    }

    /// The default with a file, as TOML.
    pub fn default(&self) -> &'static str {
        self.default
    }

    /// The default without a file, as TOML.
    pub fn default_without_file(&self) -> &'static str {
        self.default_without_file.unwrap_or(self.default)
    }

    /// Whether there may be several values: the flag may be repeated, and in one text they are
    /// separated by commas.
    pub fn is_list(&self) -> bool {
        self.is_list
    }

    /// When another value comes into force while the server runs.
    pub fn change(&self) -> Change {
        self.change
    }

    /// Whether it is true or false: the flag alone means true.
    pub fn is_switch(&self) -> bool {
        self.is_switch
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

fn join(section: &str, name: &str, with: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}{with}{name}") }
}

/// A table of keys that can be filled by name.
pub(crate) trait Table {
    /// The keys that it may hold.
    fn keys(&self) -> &'static [Key];

    /// Sets one key. A value that is not accepted changes nothing.
    fn set(&mut self, name: &str, input: &Input<'_>) -> Result<(), Complaint>;
}

/// A table that can be held against another of its kind.
pub(crate) trait Compare {
    /// Finds the keys whose values are not the same. `section` is what the table is called.
    fn compare(&self, newer: &Self, section: &str, found: &mut Vec<Difference>);
}

/// A key with another value than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As in `limits.queue` or `namespace.chat.history_size`.
    pub path: String,
    /// When it comes into force.
    pub change: Change,
    /// What it was, as a log may show it: secrets, and what may hold one, are left out.
    pub before: String,
    /// What it is to be.
    pub after: String,
}

impl Difference {
    /// Whether a whole namespace came or went.
    pub(crate) fn is_a_namespace(&self) -> bool {
        self.path.strip_prefix("namespace.").is_some_and(|name| !name.contains('.'))
    }

    pub(crate) fn of<T: Value>(key: &Key, section: &str, before: &T, after: &T) -> Self {
        let path = join(section, key.name, ".");
        Self { path, change: key.change, before: before.shown(), after: after.shown() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, before, after, change } = self;
        write!(f, "{path}: {before} -> {after}")?;
        match change {
            Change::LiveForNew(whom) => write!(f, " (for {})", whom.replace('_', " ")),
            Change::Live | Change::Restart => Ok(()),
        }
    }
}

/// What a key or a table is when nobody says otherwise.
pub(crate) trait Defaults {
    fn defaults(with_file: bool) -> Self;
}

/// The value of a default as the description writes it.
///
/// # Panics
/// When the description is wrong; a test reads every default.
pub(super) fn literal<T: Value>(toml: &'static str) -> T {
    let value = toml::de::DeValue::parse(toml).expect("the table of keys holds TOML");
    T::read(&Input::Toml(&value)).expect("the table of keys holds values of the key's type")
}

/// Refuses a value beyond its bounds.
pub(super) fn within<T: Value + PartialOrd>(
    value: &T,
    input: &Input<'_>,
    (min, max): (&'static str, &'static str),
) -> Result<(), Complaint> {
    if *value >= literal::<T>(min) && *value <= literal::<T>(max) {
        return Ok(());
    }
    let what = format!("{} is out of range; write from {min} to {max}", input.shown());
    Err(Complaint::value(input, what))
}

/// Makes a struct, its keys and its [`Table`] from one description:
/// `name: Type = default, without a file default, from min to max;`. Defaults and bounds are TOML.
/// After `and` stand the tables inside of it. A key whose value may be another while the server runs
/// says `, live` at its end, or `, live for new_lines`; all others need a restart.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $section:literal $Name:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $Type:ty = $default:tt
                $(, without a file $bare:tt)?
                $(, from $min:tt to $max:tt)?
                $(, live $(for $whom:ident)?)?;
            )+
        }
        $(and {
            $(
                $(#[doc = $inner_doc:literal])+
                $inner:ident: $Inner:ty;
            )+
        })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $Name {
            $($(#[doc = $doc])+ pub $key: $Type,)+
            $($($(#[doc = $inner_doc])+ pub $inner: $Inner,)+)?
        }

        impl $Name {
            pub(super) const ABOUT: &'static [&'static str] = &[$($about),+];

            pub(super) const KEYS: &'static [$crate::config::table::Key] =
                &[$($crate::config::table::Key {
                    section: $section,
                    name: stringify!($key),
                    doc: &[$($doc),+],
                    default: stringify!($default),
                    default_without_file: $crate::config::table::first(
                        &[$(stringify!($bare))?]
                    ),
                    range: $crate::config::table::first(
                        &[$((stringify!($min), stringify!($max)))?]
                    ),
                    kind: <$Type as $crate::config::value::Value>::kind,
                    expected: <$Type as $crate::config::value::Value>::expected,
                    is_list: <$Type as $crate::config::value::Value>::IS_LIST,
                    is_switch: <$Type as $crate::config::value::Value>::IS_SWITCH,
                    change: $crate::config::table::change(&[
                        $(&[$(stringify!($whom))?])?
                    ]),
                }),+];
        }

        impl $crate::config::table::Defaults for $Name {
            fn defaults(with_file: bool) -> Self {
                Self {
                    $($key: {
                        let bare = $crate::config::table::first(&[$(stringify!($bare))?]);
                        let text = bare.filter(|_| !with_file).unwrap_or(stringify!($default));
                        $crate::config::table::literal(text)
                    },)+
                    $($($inner: $crate::config::table::Defaults::defaults(with_file),)+)?
                }
            }
        }

        impl $crate::config::table::Compare for $Name {
            fn compare(
                &self,
                newer: &Self,
                section: &str,
                found: &mut Vec<$crate::config::table::Difference>,
            ) {
                let mut keys = Self::KEYS.iter();
                $(
                    let key = keys.next().expect("there is a key for each field");
                    if self.$key != newer.$key {
                        found.push($crate::config::table::Difference::of(
                            key,
                            section,
                            &self.$key,
                            &newer.$key,
                        ));
                    }
                )+
                $($(self.$inner.compare(&newer.$inner, stringify!($inner), found);)+)?
            }
        }

        impl $crate::config::table::Table for $Name {
            fn keys(&self) -> &'static [$crate::config::table::Key] {
                Self::KEYS
            }

            fn set(
                &mut self,
                name: &str,
                input: &$crate::config::value::Input<'_>,
            ) -> Result<(), $crate::config::value::Complaint> {
                match name {
                    $(stringify!($key) => {
                        let value: $Type = $crate::config::value::Value::read(input)?;
                        $($crate::config::table::within(
                            &value,
                            input,
                            (stringify!($min), stringify!($max)),
                        )?;)?
                        self.$key = value;
                    })+
                    _ => return Err($crate::config::value::Complaint::UnknownKey),
                }
                Ok(())
            }
        }
    };
}

/// The first of none or one: what a macro's optional part left.
pub(super) const fn first<T: Copy>(items: &[T]) -> Option<T> {
    if items.is_empty() { None } else { Some(items[0]) }
}

/// What the macro's optional part left of `, live for new_lines`.
pub(super) const fn change(live: &[&[&'static str]]) -> Change {
    match live {
        [] => Change::Restart,
        [[whom, ..], ..] => Change::LiveForNew(whom),
        [[], ..] => Change::Live,
    }
}

pub(super) use table;
