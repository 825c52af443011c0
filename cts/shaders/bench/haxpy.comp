#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
// y = a·x + y in 16-bit floats, four at a time.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer X { f16vec4 x[]; };
layout(std430, binding = 1) buffer Y { f16vec4 y[]; };
layout(push_constant) uniform P { uint n; float a; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) {
        y[i] = float16_t(a) * x[i] + y[i];
    }
}
