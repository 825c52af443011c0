// variant: atomic_one STATEMENT=atomicAdd(h[0],v)
// variant: atomic_max STATEMENT=atomicMax(h[v&63u],v)
// variant: atomic_ticket TICKET
#version 450
// Contention: all invocations on one counter; maxima in 64 places; or a place in the output for those that want one.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) buffer H { uint h[]; };
layout(std430, binding = 2) writeonly buffer O { uint o[]; };
void main() {
    uint v = a[gl_GlobalInvocationID.x];
#ifdef TICKET
    if ((v & 3u) == 0) {
        uint at = atomicAdd(h[0], 1);
        o[at] = v;
    }
#else
    STATEMENT;
#endif
}
