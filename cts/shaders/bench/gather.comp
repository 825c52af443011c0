// variant: gather STATEMENT=y[i]=x[p[i]]
// variant: scatter STATEMENT=y[p[i]]=x[i]
#version 450
// Through a random permutation.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer I { uint p[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) {
        STATEMENT;
    }
}
