#version 450
#extension GL_EXT_shared_memory_block : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
layout(local_size_x = 4) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
shared X { uint words[8]; } x;
shared Y { layout(offset = 4) uint16_t halves[8]; } y;
shared Z { layout(row_major, offset = 16) mat2 m; } z;
void main() {
    uint i = gl_LocalInvocationIndex;
    x.words[i] = i | (i + 1u) << 16; x.words[i + 4u] = floatBitsToUint(float(i));
    barrier();
    o[i * 3u] = uint(y.halves[i]); o[i * 3u + 1u] = floatBitsToUint(z.m[i & 1u][i >> 1]); o[i * 3u + 2u] = x.words[(i + 1u) & 3u];
}
