//! Texel formats that shaders declare.

macro_rules! image_formats {
    ($($name:ident = $number:literal $word:literal;)*) => {
        /// The format that a shader declares of a storage image.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum ImageFormat {
            $($name = $number,)*
        }

        impl ImageFormat {
            /// Every format with its word in the text form.
            pub const WORDS: &'static [(ImageFormat, &'static str)] = &[$((ImageFormat::$name, $word)),*];

            /// The format of a number in SPIR-V; `None` for 0 (not declared) and numbers that are no format.
            pub fn of_spirv(number: u32) -> Option<ImageFormat> {
                match number {
                    $($number => Some(ImageFormat::$name),)*
                    _ => None,
                }
            }
        }
    };
}

image_formats! {
    Rgba32f = 1 "rgba32f";
    Rgba16f = 2 "rgba16f";
    R32f = 3 "r32f";
    Rgba8 = 4 "rgba8";
    Rgba8Snorm = 5 "rgba8_snorm";
    Rg32f = 6 "rg32f";
    Rg16f = 7 "rg16f";
    R11fG11fB10f = 8 "r11f_g11f_b10f";
    R16f = 9 "r16f";
    Rgba16 = 10 "rgba16";
    Rgb10A2 = 11 "rgb10_a2";
    Rg16 = 12 "rg16";
    Rg8 = 13 "rg8";
    R16 = 14 "r16";
    R8 = 15 "r8";
    Rgba16Snorm = 16 "rgba16_snorm";
    Rg16Snorm = 17 "rg16_snorm";
    Rg8Snorm = 18 "rg8_snorm";
    R16Snorm = 19 "r16_snorm";
    R8Snorm = 20 "r8_snorm";
    Rgba32i = 21 "rgba32i";
    Rgba16i = 22 "rgba16i";
    Rgba8i = 23 "rgba8i";
    R32i = 24 "r32i";
    Rg32i = 25 "rg32i";
    Rg16i = 26 "rg16i";
    Rg8i = 27 "rg8i";
    R16i = 28 "r16i";
    R8i = 29 "r8i";
    Rgba32ui = 30 "rgba32ui";
    Rgba16ui = 31 "rgba16ui";
    Rgba8ui = 32 "rgba8ui";
    R32ui = 33 "r32ui";
    Rgb10A2ui = 34 "rgb10_a2ui";
    Rg32ui = 35 "rg32ui";
    Rg16ui = 36 "rg16ui";
    Rg8ui = 37 "rg8ui";
    R16ui = 38 "r16ui";
    R8ui = 39 "r8ui";
    R64ui = 40 "r64ui";
    R64i = 41 "r64i";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_spirv() {
        assert_eq!(ImageFormat::of_spirv(spirv::ImageFormat::R64i as u32), Some(ImageFormat::R64i));
        assert_eq!(ImageFormat::of_spirv(spirv::ImageFormat::Unknown as u32), None);
        for (format, word) in ImageFormat::WORDS {
            let number = *format as u32;
            assert_eq!(ImageFormat::of_spirv(number), Some(*format));
            // The word is SPIR-V's name in small letters, with lines between parts.
            let name = format!("{:?}", spirv::ImageFormat::from_u32(number).unwrap());
            assert_eq!(word.replace('_', ""), name.to_lowercase());
        }
    }
}
