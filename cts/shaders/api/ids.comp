#version 450
// Each invocation stores its place at records[flat id], where the grid is `extent` workgroups of 4 × 2 × 2.
layout(local_size_x = 4, local_size_y = 2, local_size_z = 2) in;
layout(push_constant) uniform Push { uvec3 extent; };
struct Record { uvec4 global, local, group, count; };
layout(std430, binding = 0) buffer Data { uint total; uint pad[3]; Record records[]; };
void main() {
    uvec3 size = extent * gl_WorkGroupSize;
    uvec3 g = gl_GlobalInvocationID;
    atomicAdd(total, 1);
    if (any(greaterThanEqual(g, size))) return;
    uint i = (g.z * size.y + g.y) * size.x + g.x;
    records[i].global = uvec4(g, 1);
    records[i].local = uvec4(gl_LocalInvocationID, gl_LocalInvocationIndex);
    records[i].group = uvec4(gl_WorkGroupID, 1);
    records[i].count = uvec4(gl_NumWorkGroups, 1);
}
