#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_8bit_storage : require
// Bytes: brightness of pixels of three bytes.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer X { uint8_t x[]; };
layout(std430, binding = 1) writeonly buffer Y { uint8_t y[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) {
        y[i] = uint8_t((77 * uint(x[3 * i]) + 150 * uint(x[3 * i + 1]) + 29 * uint(x[3 * i + 2])) >> 8);
    }
}
