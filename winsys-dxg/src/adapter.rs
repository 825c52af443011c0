//! Adapters.

use crate::channel::Channel;
use crate::error::Result;
use dxg_abi::{
    Arg, CloseAdapter, Escape, EscapeFlags, EscapeType, FeatureId, GpuClockData, Handle, IsFeatureEnabled,
    IsFeatureEnabledResult, Luid, MemorySegmentGroup, QueryClockCalibration, QueryVideoMemoryInfo, Ret,
};
use std::sync::Arc;

/// Memory of the process on an adapter, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoMemory {
    /// What the process may use now; the host changes it at will.
    pub budget: u64,
    /// What the process uses.
    pub usage: u64,
    /// What the process reserved.
    pub reservation: u64,
    /// What it could reserve.
    pub available_for_reservation: u64,
}

#[derive(Debug)]
pub(crate) struct AdapterInner {
    pub(crate) channel: Arc<Channel>,
    pub(crate) handle: Handle,
    luid: Luid,
}

impl Drop for AdapterInner {
    fn drop(&mut self) {
        // Nothing to be done about a failure.
        let _ = self.channel.call(&mut CloseAdapter { adapter_handle: self.handle });
    }
}

/// An open adapter. Clones share the handle; it is closed with the last clone and the last device
/// on it, because closing an adapter would take its devices along.
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(crate) inner: Arc<AdapterInner>,
}

impl Adapter {
    pub(crate) fn from_handle(channel: Arc<Channel>, handle: Handle, luid: Luid) -> Self {
        Self { inner: Arc::new(AdapterInner { channel, handle, luid }) }
    }

    pub(crate) fn call<A: Arg>(&self, arg: &mut A) -> Result<Ret> {
        self.inner.channel.call(arg)
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.inner.handle
    }

    /// The LUID; good for this run of the system only.
    pub fn luid(&self) -> Luid {
        self.inner.luid
    }

    /// Budget and use of local or non-local memory.
    ///
    /// # Errors
    /// Those of the request.
    pub fn video_memory(&self, group: MemorySegmentGroup) -> Result<VideoMemory> {
        let mut arg =
            QueryVideoMemoryInfo { adapter: self.handle(), memory_segment_group: group, ..Default::default() };
        self.call(&mut arg)?;
        Ok(VideoMemory {
            budget: arg.budget,
            usage: arg.current_usage,
            reservation: arg.current_reservation,
            available_for_reservation: arg.available_for_reservation,
        })
    }

    /// The clock of an engine together with the host's.
    ///
    /// # Errors
    /// Those of the request.
    pub fn clock(&self, node_ordinal: u32) -> Result<GpuClockData> {
        let mut arg = QueryClockCalibration { adapter: self.handle(), node_ordinal, ..Default::default() };
        self.call(&mut arg)?;
        Ok(arg.clock_data)
    }

    /// The state of a WDDM feature. Hosts commonly refuse; take that as "not enabled".
    ///
    /// # Errors
    /// Those of the request.
    pub fn feature(&self, feature: FeatureId) -> Result<IsFeatureEnabledResult> {
        let mut arg = IsFeatureEnabled { adapter: self.handle(), feature_id: feature, ..Default::default() };
        self.call(&mut arg)?;
        Ok(arg.result)
    }

    /// Sends vendor data to the host's driver and takes its answer, of the same size.
    ///
    /// # Errors
    /// Those of the request.
    pub fn escape(&self, data: &mut [u8], flags: EscapeFlags) -> Result<()> {
        let mut arg = Escape {
            adapter: self.handle(),
            r#type: EscapeType::DRIVERPRIVATE,
            flags,
            priv_drv_data: data.as_mut_ptr() as u64,
            priv_drv_data_size: crate::queries::blob_size(data)?,
            ..Default::default()
        };
        self.call(&mut arg).map(drop)
    }
}
