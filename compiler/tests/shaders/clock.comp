#version 450
#extension GL_ARB_shader_clock : require
#extension GL_EXT_shader_realtime_clock : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(local_size_x = 1) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
void main() {
    uvec2 a = clock2x32ARB(); uint64_t b = clockRealtimeEXT();
    o[0] = uint(b > uint64_t(a.x));
}
