//! Enums whose variants have one code each, used in JSON, in recordings and on the command line.

/// Text that is no code of the enum that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known code")]
pub struct UnknownCode(pub String);

/// Declares an enum with a code for each variant: `code()`, `ALL`, `FromStr`, `Serialize` and `Deserialize` all use the
/// same spelling. With `else`, deserializing an unknown code gives that variant, which `ALL` does not list; without, it
/// is an error.
#[macro_export]
macro_rules! codes {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal),+ $(,)?
        }
        $(else { $(#[$other_meta:meta])* $other:ident = $other_code:literal })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant,)+
            $($(#[$other_meta])* $other,)?
        }

        impl $name {
            /// Every variant except the one that stands for unknown codes.
            $vis const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The spelling in JSON and in recordings.
            $vis const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                    $(Self::$other => $other_code,)?
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::codes::UnknownCode;

            fn from_str(code: &str) -> ::std::result::Result<Self, Self::Err> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    $($other_code => Ok(Self::$other),)?
                    other => Err($crate::codes::UnknownCode(other.to_owned())),
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let code = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
                let known = code.parse::<Self>();
                $(let known = known.or(Ok::<Self, $crate::codes::UnknownCode>(Self::$other));)?
                known.map_err(::serde::de::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    codes! {
        enum Strict { One = "one", TwoWords = "two_words" }
    }

    codes! {
        enum Lenient { One = "one" } else { Unknown = "unknown" }
    }

    #[test]
    fn a_code_is_read_back_as_its_variant() {
        for strict in Strict::ALL {
            let json = serde_json::to_string(&strict).unwrap();
            assert_eq!(json, format!("\"{}\"", strict.code()));
            assert_eq!(serde_json::from_str::<Strict>(&json).unwrap(), strict);
            assert_eq!(strict.code().parse(), Ok(strict));
        }
    }

    #[test]
    fn an_unknown_code_is_an_error_or_the_variant_that_stands_for_it() {
        let error = serde_json::from_str::<Strict>("\"three\"").unwrap_err();
        assert!(error.to_string().contains("three"), "{error}");
        assert_eq!(serde_json::from_str::<Lenient>("\"three\"").unwrap(), Lenient::Unknown);
        assert_eq!(Lenient::ALL, [Lenient::One]);
    }

    #[test]
    fn codes_are_keys_of_objects() {
        let map = BTreeMap::from([(Strict::TwoWords, 2)]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"two_words":2}"#);
        assert_eq!(serde_json::from_str::<BTreeMap<Strict, i32>>(&json).unwrap(), map);
    }
}
