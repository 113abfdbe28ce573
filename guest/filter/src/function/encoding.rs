//! Base64.

use super::Function;
use crate::failure::Failure;
use crate::value::{Budget, Value};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is written, and read whether it is there or not.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `base64.encode(bytes)` and `base64.decode(string)`.
pub(super) fn base64<'a>(
    function: Function,
    value: &Value<'a>,
    budget: &mut Budget,
) -> Result<Value<'a>, Failure> {
    match (function, value) {
        (Function::Base64Encode, Value::Bytes(bytes)) => {
            budget.spend_bytes(bytes.len())?;
            Ok(Value::string(ENGINE.encode(&**bytes)))
        }
        (Function::Base64Decode, Value::String(text)) => {
            budget.spend_bytes(text.len())?;
            ENGINE.decode(text.as_bytes()).map(Value::bytes).map_err(|_| Failure::BadText)
        }
        _ => Err(Failure::NoOverload),
    }
}
