#version 450
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer X { double x[]; };
layout(std430, binding = 1) buffer Y { double y[]; };
layout(push_constant) uniform P { uint n; float a; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) {
        y[i] = double(a) * x[i] + y[i];
    }
}
