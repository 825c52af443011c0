//! What can go wrong, in Vulkan's terms.

use crate::gpu::{CompileError, EncodeError};
use ash::vk;
use winsys_dxg::ErrorKind;

/// The result of an operation of the runtime.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that maps to one `VkResult`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// VK_ERROR_OUT_OF_HOST_MEMORY.
    #[error("out of host memory")]
    OutOfHostMemory,
    /// VK_ERROR_OUT_OF_DEVICE_MEMORY.
    #[error("out of device memory")]
    OutOfDeviceMemory,
    /// VK_ERROR_TOO_MANY_OBJECTS.
    #[error("too many objects")]
    TooManyObjects,
    /// VK_ERROR_INITIALIZATION_FAILED.
    #[error("initialisation failed: {0}")]
    InitializationFailed(String),
    /// VK_ERROR_DEVICE_LOST.
    #[error("device lost: {0}")]
    DeviceLost(String),
    /// VK_ERROR_MEMORY_MAP_FAILED.
    #[error("memory cannot be mapped: {0}")]
    MemoryMapFailed(String),
    /// VK_ERROR_FEATURE_NOT_PRESENT.
    #[error("feature not present: {0}")]
    FeatureNotPresent(&'static str),
    /// VK_ERROR_FORMAT_NOT_SUPPORTED.
    #[error("format not supported for this use")]
    FormatNotSupported,
    /// VK_ERROR_NOT_PERMITTED.
    #[error("the system does not allow this priority")]
    NotPermitted,
    /// VK_ERROR_OUT_OF_POOL_MEMORY.
    #[error("the pool is full")]
    OutOfPoolMemory,
    /// VK_ERROR_FRAGMENTED_POOL.
    #[error("the pool has the memory, but not in one piece")]
    FragmentedPool,
    /// VK_ERROR_INVALID_EXTERNAL_HANDLE.
    #[error("invalid external handle: {0}")]
    InvalidExternalHandle(String),
    /// VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS.
    #[error("the captured address is not available")]
    InvalidOpaqueCaptureAddress,
    /// VK_PIPELINE_COMPILE_REQUIRED, a success code that means "nothing made".
    #[error("a compilation would have been needed")]
    CompileRequired,
    /// VK_INCOMPATIBLE_SHADER_BINARY_EXT, a success code that means "nothing made".
    #[error("the shader binary was not made by this driver for this device and layout")]
    IncompatibleBinary,
    /// VK_ERROR_INVALID_SHADER_NV: the SPIR-V is malformed or uses what this driver does not have; the text names the
    /// instruction. Reported to Vulkan as VK_ERROR_UNKNOWN unless that extension is on.
    #[error("shader: {0}")]
    Shader(String),
    /// VK_ERROR_UNKNOWN.
    #[error("{0}")]
    Unknown(String),
}

impl Error {
    /// The `VkResult` to return.
    pub fn vk(&self) -> vk::Result {
        match self {
            Error::OutOfHostMemory => vk::Result::ERROR_OUT_OF_HOST_MEMORY,
            Error::OutOfDeviceMemory => vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
            Error::TooManyObjects => vk::Result::ERROR_TOO_MANY_OBJECTS,
            Error::InitializationFailed(_) => vk::Result::ERROR_INITIALIZATION_FAILED,
            Error::DeviceLost(_) => vk::Result::ERROR_DEVICE_LOST,
            Error::MemoryMapFailed(_) => vk::Result::ERROR_MEMORY_MAP_FAILED,
            Error::FeatureNotPresent(_) => vk::Result::ERROR_FEATURE_NOT_PRESENT,
            Error::FormatNotSupported => vk::Result::ERROR_FORMAT_NOT_SUPPORTED,
            Error::NotPermitted => vk::Result::ERROR_NOT_PERMITTED_KHR,
            Error::OutOfPoolMemory => vk::Result::ERROR_OUT_OF_POOL_MEMORY,
            Error::FragmentedPool => vk::Result::ERROR_FRAGMENTED_POOL,
            Error::InvalidExternalHandle(_) => vk::Result::ERROR_INVALID_EXTERNAL_HANDLE,
            Error::InvalidOpaqueCaptureAddress => vk::Result::ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS,
            Error::CompileRequired => vk::Result::PIPELINE_COMPILE_REQUIRED,
            Error::IncompatibleBinary => vk::Result::INCOMPATIBLE_SHADER_BINARY_EXT,
            Error::Shader(_) | Error::Unknown(_) => vk::Result::ERROR_UNKNOWN,
        }
    }

    /// For a descriptor that could not be made.
    pub(crate) fn exporting(e: winsys_dxg::Error) -> Error {
        match e.kind() {
            ErrorKind::NoMemory => Error::OutOfHostMemory,
            ErrorKind::NoDescriptors => Error::TooManyObjects,
            _ => Error::InvalidExternalHandle(e.to_string()),
        }
    }

    /// For a descriptor that could not be opened.
    pub(crate) fn importing(e: winsys_dxg::Error) -> Error {
        match e.kind() {
            ErrorKind::NoMemory | ErrorKind::NoDescriptors => Error::OutOfHostMemory,
            _ => Error::InvalidExternalHandle(e.to_string()),
        }
    }

    /// What happened, for a debug message.
    pub fn message(&self) -> String {
        self.to_string()
    }
}

impl From<EncodeError> for Error {
    fn from(e: EncodeError) -> Error {
        match e {
            EncodeError::OutOfDeviceMemory => Error::OutOfDeviceMemory,
            EncodeError::OutOfHostMemory => Error::OutOfHostMemory,
            EncodeError::PacketTooLong(_) | EncodeError::Unsupported(_) => Error::Unknown(e.to_string()),
        }
    }
}

impl From<winsys_dxg::Error> for Error {
    fn from(e: winsys_dxg::Error) -> Error {
        match e.kind() {
            // A creation that is refused without a reason is most often one that found no memory.
            ErrorKind::NoMemory | ErrorKind::Refused => Error::OutOfDeviceMemory,
            ErrorKind::DeviceLost => Error::DeviceLost(e.to_string()),
            ErrorKind::NoDescriptors => Error::TooManyObjects,
            ErrorKind::NotSupported => Error::FeatureNotPresent("not in this kernel or adapter"),
            ErrorKind::Invalid | ErrorKind::Busy | ErrorKind::Other => Error::Unknown(e.to_string()),
        }
    }
}

impl From<CompileError> for Error {
    fn from(e: CompileError) -> Error {
        match e {
            CompileError::OutOfHostMemory => Error::OutOfHostMemory,
            CompileError::Unsupported(_) | CompileError::Internal(_) | CompileError::NotAtOnce(_) => {
                Error::Shader(e.to_string())
            }
        }
    }
}

impl From<std::collections::TryReserveError> for Error {
    fn from(_: std::collections::TryReserveError) -> Error {
        Error::OutOfHostMemory
    }
}
