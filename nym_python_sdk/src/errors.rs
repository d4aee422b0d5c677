//! What can go wrong, sorted by what the caller can do about it. The Python classes are the public ones
//! (`nym_python_sdk.errors`); this enum decides which of them is raised.

use nym_client_core::error::ClientCoreError;
use nym_sdk::Error as SdkError;
use pyo3::import_exception;
use pyo3::prelude::*;

import_exception!(nym_python_sdk.errors, ClientClosed);
import_exception!(nym_python_sdk.errors, ClientDied);
import_exception!(nym_python_sdk.errors, ConfigError);
import_exception!(nym_python_sdk.errors, ForkError);
import_exception!(nym_python_sdk.errors, InvalidRecipient);
import_exception!(nym_python_sdk.errors, InvalidSenderTag);
import_exception!(nym_python_sdk.errors, MessageError);
import_exception!(nym_python_sdk.errors, NetworkUnreachable);
import_exception!(nym_python_sdk.errors, NymError);
import_exception!(nym_python_sdk.errors, StorageError);

/// A failure on the Rust side. It becomes a Python exception where the interpreter is attached.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Config(String),
    #[error("not a Nym address: {0}")]
    Recipient(String),
    #[error("not a sender tag: a tag is 16 bytes")]
    SenderTag,
    #[error("{0}")]
    Message(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Storage(String),
    #[error("{0}")]
    Died(String),
    #[error("the client was disconnected")]
    Closed,
    #[error("the SDK could not do it: {0}")]
    Other(String),
    #[error("this process was forked after nym_python_sdk had started its threads; make the client in the child, before anything else")]
    Forked,
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> PyErr {
        let text = failure.to_string();
        match failure {
            Failure::Config(_) => ConfigError::new_err(text),
            Failure::Recipient(_) => InvalidRecipient::new_err(text),
            Failure::SenderTag => InvalidSenderTag::new_err(text),
            Failure::Message(_) => MessageError::new_err(text),
            Failure::Unreachable(_) => NetworkUnreachable::new_err(text),
            Failure::Storage(_) => StorageError::new_err(text),
            Failure::Died(_) => ClientDied::new_err(text),
            Failure::Closed => ClientClosed::new_err(text),
            Failure::Other(_) => NymError::new_err(text),
            Failure::Forked => ForkError::new_err(text),
        }
    }
}

/// Sorts the errors of `build` and `connect_to_mixnet` by what the caller can do about them.
impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Failure {
        let text = error.to_string();
        match error {
            SdkError::ClientCoreError(inner) => from_core(inner),
            SdkError::IoError(_)
            | SdkError::DontOverwrite(_)
            | SdkError::DontOverwriteGatewayKey(_)
            | SdkError::ExpectedDirectory(_)
            | SdkError::ReplyStorageError { .. }
            | SdkError::KeyStorageError { .. }
            | SdkError::CredentialStorageError { .. } => Failure::Storage(text),
            SdkError::GatewayDirectoryError(_) | SdkError::NoGatewayAvailable => Failure::Unreachable(text),
            SdkError::NoNymAPIUrl => Failure::Config(text),
            _ => Failure::Other(text),
        }
    }
}

fn from_core(error: ClientCoreError) -> Failure {
    use ClientCoreError as Core;
    let text = error.to_string();
    match error {
        Core::NoGatewayWithId(_)
        | Core::InvalidUrl(_)
        | Core::ListOfNymApisIsEmpty
        | Core::MalformedGatewayIdentity { .. }
        | Core::UnableToCreatePublicKeyFromGatewayId(_)
        | Core::UnsupportedEntry { .. } => Failure::Config(text),
        Core::SurbStorageError { .. }
        | Core::KeyStoreError { .. }
        | Core::GatewaysDetailsStoreError { .. }
        | Core::CredentialStoreError { .. }
        | Core::UnavailableGatewayDetails { .. }
        | Core::ForbiddenGatewayKeyOverwrite { .. }
        | Core::ForbiddenKeyOverwrite
        | Core::IoError(_)
        | Core::UnsupportedMigration(_)
        | Core::Ed25519RecoveryError(_) => Failure::Storage(text),
        Core::GatewayClientError { .. }
        | Core::GatewayConnectionFailure { .. }
        | Core::GatewayConnectionAbruptlyClosed
        | Core::GatewayConnectionTimeout
        | Core::ErasedGatewayClientError { .. }
        | Core::ValidatorClientError(_)
        | Core::NymApiQueryFailure { .. }
        | Core::InsufficientNetworkTopology(_)
        | Core::NoGatewaysOnNetwork
        | Core::NoGatewayMeasurements { .. }
        | Core::ResolutionFailed(_)
        | Core::MissingIpAddress(_) => Failure::Unreachable(text),
        _ => Failure::Other(text),
    }
}
