// variant: count_atomic STATEMENT=atomicAdd(o[0],1)
// variant: count_ordered STATEMENT=o[0]=o[0]+1
#version 450
// One small dispatch: counts itself, either atomically or relying on barriers between dispatches.
layout(local_size_x = 64) in;
layout(std430, binding = 0) buffer O { uint o[]; };
layout(push_constant) uniform P { uint unused; };
void main() {
    if (gl_LocalInvocationID.x == 0) {
        STATEMENT;
    }
}
