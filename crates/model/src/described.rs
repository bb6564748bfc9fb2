//! How the description of the API tells of types that are written as another.

/// Describes a type by the one as which it is written in JSON.
#[macro_export]
macro_rules! described_as {
    ($name:ty, $written:ty) => {
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$written as schemars::JsonSchema>::schema_name()
            }

            fn inline_schema() -> bool {
                <$written as schemars::JsonSchema>::inline_schema()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$written as schemars::JsonSchema>::json_schema(generator)
            }
        }
    };
}
