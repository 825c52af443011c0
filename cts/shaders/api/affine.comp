#version 450
// data[i] = data[i] * mul + add for i in [first, first + count); the workhorse of tests about everything but kernels.
layout(local_size_x_id = 0, local_size_x = 64) in;
layout(push_constant) uniform Push { uint first, count, mul, add; };
layout(std430, binding = 0) buffer Data { uint data[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < count) data[first + i] = data[first + i] * mul + add;
}
