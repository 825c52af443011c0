//! Surface descriptions of the kernel-mode driver's standard allocations. No
//! ioctl carries them; they are part of the header both sides share.

use crate::macros::{abi_enum, abi_struct};

abi_enum! {
    /// Kind of standard allocation, as the kernel-mode driver knows it.
    "d3dkmdt_standardallocationtype" "_D3DKMDT_STANDARDALLOCATION_"
    pub struct KmdStandardAllocationType(u32) {
        SHAREDPRIMARYSURFACE = 1,
        SHADOWSURFACE = 2,
        STAGINGSURFACE = 3,
        GDISURFACE = 4,
    }
}

abi_enum! {
    /// Kind of GDI surface.
    "d3dkmdt_gdisurfacetype" "_D3DKMDT_GDISURFACE_"
    pub struct GdiSurfaceType(u32) {
        INVALID = 0,
        TEXTURE = 1,
        STAGING_CPUVISIBLE = 2,
        STAGING = 3,
        LOOKUPTABLE = 4,
        EXISTINGSYSMEM = 5,
        TEXTURE_CPUVISIBLE = 6,
        TEXTURE_CROSSADAPTER = 7,
        TEXTURE_CPUVISIBLE_CROSSADAPTER = 8,
    }
}

abi_enum! {
    /// Pixel format; only "unknown" is defined here.
    "d3dddiformat" "_D3DDDIFMT_"
    pub struct Format(u32) {
        UNKNOWN = 0,
    }
}

abi_struct! {
    /// A fraction.
    "d3dddi_rational" [8]
    pub struct Rational {
        /// Above the line.
        pub numerator: u32,
        /// Below the line.
        pub denominator: u32,
    }
}

abi_struct! {
    /// Kernel-mode description of a GDI surface.
    "d3dkmdt_gdisurfacedata" [24]
    pub struct GdiSurfaceData {
        /// Width, texels.
        pub width: u32,
        /// Height, texels.
        pub height: u32,
        /// Pixel format.
        pub format: u32,
        /// Kind.
        pub r#type: GdiSurfaceType,
        /// Options.
        pub flags: u32,
        /// Bytes from row to row.
        pub pitch: u32,
    }
}

abi_struct! {
    /// Kernel-mode description of a staging surface.
    "d3dkmdt_stagingsurfacedata" [12]
    pub struct StagingSurfaceData {
        /// Width, texels.
        pub width: u32,
        /// Height, texels.
        pub height: u32,
        /// Bytes from row to row.
        pub pitch: u32,
    }
}

abi_struct! {
    /// Kernel-mode description of a shared primary surface.
    "d3dkmdt_sharedprimarysurfacedata" [24]
    pub struct SharedPrimarySurfaceData {
        /// Width, texels.
        pub width: u32,
        /// Height, texels.
        pub height: u32,
        /// Pixel format.
        pub format: Format,
        /// Refresh rate, hertz.
        pub refresh_rate: Rational,
        /// Display source.
        pub vidpn_source_id: u32,
    }
}

abi_struct! {
    /// Kernel-mode description of a shadow surface.
    "d3dkmdt_shadowsurfacedata" [16]
    pub struct ShadowSurfaceData {
        /// Width, texels.
        pub width: u32,
        /// Height, texels.
        pub height: u32,
        /// Pixel format.
        pub format: Format,
        /// Bytes from row to row.
        pub pitch: u32,
    }
}
