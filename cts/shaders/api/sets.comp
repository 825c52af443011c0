#version 450
// Two sets, the second with an array of four storage buffers indexed by data.
layout(local_size_x = 32) in;
layout(std430, set = 0, binding = 1) buffer O { uint o[]; };
layout(std140, set = 0, binding = 0) uniform Which { uvec4 which[8]; };
layout(std430, set = 1, binding = 3) readonly buffer In { uint v[]; } ins[4];
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint w = which[gl_WorkGroupID.x].x; // dynamically uniform
    o[i] = ins[w].v[i] + w;
}
