//! Private data slots.

use crate::error::Result;
use crate::lock::lock;
use ash::vk;
use std::collections::HashMap;
use std::sync::Mutex;

/// A VkPrivateDataSlot: a word per object.
#[derive(Debug, Default)]
pub struct PrivateDataSlot {
    values: Mutex<HashMap<(i32, u64), u64>>,
}

impl PrivateDataSlot {
    /// An empty slot.
    pub fn new() -> PrivateDataSlot {
        PrivateDataSlot::default()
    }

    /// Stores the word of an object.
    ///
    /// # Errors
    /// [`crate::Error::OutOfHostMemory`].
    pub fn set(&self, ty: vk::ObjectType, handle: u64, value: u64) -> Result<()> {
        let mut values = lock(&self.values);
        values.try_reserve(1)?;
        values.insert((ty.as_raw(), handle), value);
        Ok(())
    }

    /// The word of an object; 0 if none was stored.
    pub fn get(&self, ty: vk::ObjectType, handle: u64) -> u64 {
        lock(&self.values).get(&(ty.as_raw(), handle)).copied().unwrap_or(0)
    }

    /// Drops the word of an object that is destroyed, so that a new object with the same handle starts at 0.
    pub fn forget(&self, ty: vk::ObjectType, handle: u64) {
        lock(&self.values).remove(&(ty.as_raw(), handle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_belong_to_objects() {
        let slot = PrivateDataSlot::new();
        assert_eq!(slot.get(vk::ObjectType::BUFFER, 1), 0);
        slot.set(vk::ObjectType::BUFFER, 1, 7).unwrap();
        slot.set(vk::ObjectType::IMAGE, 1, 8).unwrap();
        assert_eq!((slot.get(vk::ObjectType::BUFFER, 1), slot.get(vk::ObjectType::IMAGE, 1)), (7, 8));
        slot.forget(vk::ObjectType::BUFFER, 1);
        assert_eq!((slot.get(vk::ObjectType::BUFFER, 1), slot.get(vk::ObjectType::IMAGE, 1)), (0, 8));
    }
}
