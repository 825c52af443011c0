#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
layout(local_size_x = 8) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std430, binding = 1) buffer In { int8_t b[8]; uint8_t ub[8]; int16_t s[8]; u16vec2 us[4]; int64_t l[8]; i8vec4 v[2]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 8u;
    int8_t x = b[i]; uint8_t ux = ub[i]; int16_t y = s[i]; u16vec2 w = us[i & 3u]; int64_t z = l[i];
    o[n] = uint(int(x * int8_t(3))); o[n + 1u] = uint(ux >> uint8_t(1)); o[n + 2u] = uint(int(y) / int(x | int8_t(1)));
    o[n + 3u] = uint(w.x) << 16 | uint(w.y);
    o[n + 4u] = uint(z >> 7l); o[n + 5u] = uint((z * int64_t(x)) >> 32);
    o[n + 6u] = pack32(u8vec4(v[i & 1u])); o[n + 7u] = uint(uint64_t(z) / 1000ul) ^ uint(z < 0l) ^ unpack32(z).y;
    barrier();
    b[i] = int8_t(y); s[i] = int16_t(x) * y; l[i] = z - 1l; us[i & 3u].y = uint16_t(i & 3u);
}
