// variant: stream_copy STATEMENT=y[i]=x[i]
// variant: saxpy STATEMENT=y[i]=a*x[i]+y[i]
// variant: saxpy_vec4 T=vec4 STATEMENT=y[i]=a*x[i]+y[i]
// variant: triad THREE STATEMENT=z[i]=x[i]+a*y[i]
#version 450
// Streaming: one element per invocation, with the usual guard for sizes that are no multiple of the workgroup.
layout(local_size_x = 256) in;
#ifndef T
#define T float
#endif
layout(std430, binding = 0) readonly buffer X { T x[]; };
layout(std430, binding = 1) buffer Y { T y[]; };
#ifdef THREE
layout(std430, binding = 2) writeonly buffer Z { T z[]; };
#endif
layout(push_constant) uniform P { uint n; float a; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) {
        STATEMENT;
    }
}
