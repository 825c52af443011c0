#version 450
// out[i] = in[i], with a range of the output set by push constants: a kernel that shows what memory held.
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint count; };
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) writeonly buffer O { uint o[]; };
void main() { uint i = gl_GlobalInvocationID.x; if (i < count) o[i] = a[i]; }
