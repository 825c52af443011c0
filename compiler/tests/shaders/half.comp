#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_16bit_storage : require
layout(local_size_x = 8) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std430, binding = 1) buffer In { float16_t a[8]; f16vec4 v[2]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 6u;
    float16_t x = a[i], y = x * float16_t(1.5) + float16_t(0.25);
    f16vec4 w = v[i & 1u];
    o[n] = floatBitsToUint(float(y)); o[n + 1u] = packFloat2x16(f16vec2(x, sqrt(abs(x)))); o[n + 2u] = floatBitsToUint(float(dot(w, w.wzyx)));
    f16mat2 m = f16mat2(w); o[n + 3u] = floatBitsToUint(float(determinant(m))); o[n + 4u] = uint(int16_t(x)) + uint(isnan(y));
    o[n + 5u] = floatBitsToUint(float(float16_t(float64_t(x) * 3.0lf)));
    a[i] = y; v[i & 1u].z = float16_t(2.0);
}
