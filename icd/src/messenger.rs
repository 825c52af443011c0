//! VK_EXT_debug_utils: what the driver has to say, delivered to the application's callbacks.

use crate::edge::In;
use ash::vk;
use std::ffi::{c_void, CString};
use std::sync::{Arc, PoisonError, RwLock};

/// A callback and what it wants to hear.
#[derive(Debug)]
pub struct Messenger {
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    types: vk::DebugUtilsMessageTypeFlagsEXT,
    callback: vk::PFN_vkDebugUtilsMessengerCallbackEXT,
    user_data: *mut c_void,
}

// SAFETY: the API makes callbacks callable from any thread; the pointer is only handed back to them.
unsafe impl Send for Messenger {}
// SAFETY: as above.
unsafe impl Sync for Messenger {}

impl Messenger {
    /// The messenger an application describes.
    pub fn new(info: In<'_, vk::DebugUtilsMessengerCreateInfoEXT<'_>>) -> Self {
        Self {
            severity: info.message_severity,
            types: info.message_type,
            callback: info.pfn_user_callback,
            user_data: info.p_user_data,
        }
    }

    /// Calls back with a message, if it is wanted.
    fn deliver(
        &self,
        severity: vk::DebugUtilsMessageSeverityFlagsEXT,
        types: vk::DebugUtilsMessageTypeFlagsEXT,
        data: &vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    ) {
        if let (true, true, Some(f)) = (self.severity.intersects(severity), self.types.intersects(types), self.callback)
        {
            // SAFETY: the callback is the application's, called as the API describes; what it returns only matters to layers.
            unsafe { f(severity, types, data, self.user_data) };
        }
    }
}

/// An object a message is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Type.
    pub ty: vk::ObjectType,
    /// Handle.
    pub handle: u64,
    /// Name the application gave it.
    pub name: Option<String>,
}

/// The messengers of an instance.
#[derive(Debug, Default)]
pub struct Messengers(RwLock<Vec<Arc<Messenger>>>);

impl Messengers {
    /// Starts delivering to a messenger.
    pub fn add(&self, m: Arc<Messenger>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(m);
    }

    /// Stops delivering to a messenger.
    pub fn remove(&self, m: &Arc<Messenger>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|x| !Arc::ptr_eq(x, m));
    }

    /// The messengers now. No lock is held while they are called.
    fn all(&self) -> Vec<Arc<Messenger>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands an application's own message on (vkSubmitDebugUtilsMessageEXT).
    pub fn forward(
        &self,
        severity: vk::DebugUtilsMessageSeverityFlagsEXT,
        types: vk::DebugUtilsMessageTypeFlagsEXT,
        data: &vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    ) {
        for m in self.all() {
            m.deliver(severity, types, data);
        }
    }

    /// Delivers a message of the driver.
    pub fn send(
        &self,
        severity: vk::DebugUtilsMessageSeverityFlagsEXT,
        types: vk::DebugUtilsMessageTypeFlagsEXT,
        id: &str,
        text: &str,
        subjects: &[Subject],
    ) {
        self.send_with(severity, types, id, text, subjects, None);
    }

    /// As [`Messengers::send`], with what a message about addresses carries.
    pub fn send_with(
        &self,
        severity: vk::DebugUtilsMessageSeverityFlagsEXT,
        types: vk::DebugUtilsMessageTypeFlagsEXT,
        id: &str,
        text: &str,
        subjects: &[Subject],
        binding: Option<&vk::DeviceAddressBindingCallbackDataEXT<'_>>,
    ) {
        let all = self.all();
        if all.is_empty() {
            // Nobody listens: errors go to the log, so that a refused shader does not end in a bare error code.
            if severity.contains(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR) {
                eprintln!("vulkan-dxg: {id}: {text}");
            }
            return;
        }
        let text = c_string(text);
        let id = c_string(id);
        let names: Vec<Option<CString>> = subjects.iter().map(|s| s.name.as_deref().map(c_string)).collect();
        let objects: Vec<_> = subjects
            .iter()
            .zip(&names)
            .map(|(s, n)| vk::DebugUtilsObjectNameInfoEXT {
                object_type: s.ty,
                object_handle: s.handle,
                p_object_name: n.as_ref().map_or(std::ptr::null(), |n| n.as_ptr()),
                ..Default::default()
            })
            .collect();
        let data = vk::DebugUtilsMessengerCallbackDataEXT {
            p_next: binding.map_or(std::ptr::null(), |b| std::ptr::from_ref(b).cast()),
            object_count: objects.len() as u32,
            p_objects: objects.as_ptr(),
            ..Default::default()
        }
        .message_id_name(&id)
        .message(&text);
        for m in all {
            m.deliver(severity, types, &data);
        }
    }
}

/// A C string of a text; what follows an inner NUL is left out.
fn c_string(text: &str) -> CString {
    let until = text.split('\0').next().unwrap_or_default();
    CString::new(until).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;
    use std::sync::Mutex;

    unsafe extern "system" fn note(
        _: vk::DebugUtilsMessageSeverityFlagsEXT,
        _: vk::DebugUtilsMessageTypeFlagsEXT,
        data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
        user: *mut c_void,
    ) -> vk::Bool32 {
        // SAFETY: the test passes a live Mutex and the driver a valid structure.
        unsafe {
            let log = &*(user as *const Mutex<Vec<String>>);
            let text = CStr::from_ptr((*data).p_message).to_string_lossy().into_owned();
            log.lock().expect("lock").push(text);
        }
        vk::FALSE
    }

    #[test]
    fn only_wanted_messages_arrive() {
        type S = vk::DebugUtilsMessageSeverityFlagsEXT;
        type T = vk::DebugUtilsMessageTypeFlagsEXT;
        let log = Mutex::new(Vec::<String>::new());
        let info = vk::DebugUtilsMessengerCreateInfoEXT::default()
            .message_severity(S::ERROR)
            .message_type(T::GENERAL)
            .pfn_user_callback(Some(note))
            .user_data(std::ptr::from_ref(&log).cast_mut().cast());
        // SAFETY: a valid structure.
        let m = Arc::new(Messenger::new(unsafe { In::new(&info) }));
        let all = Messengers::default();
        all.add(m.clone());
        all.send(S::ERROR, T::GENERAL, "id", "heard\0not this", &[]);
        all.send(S::WARNING, T::GENERAL, "id", "severity", &[]);
        all.send(S::ERROR, T::PERFORMANCE, "id", "type", &[]);
        all.remove(&m);
        all.send(S::ERROR, T::GENERAL, "id", "removed", &[]);
        assert_eq!(*log.lock().expect("lock"), ["heard"]);
    }
}
