#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_memory_scope_semantics : require
layout(local_size_x = 8) in;
layout(std430, binding = 0) workgroupcoherent buffer Out { uint o[]; };
layout(std430, binding = 1) volatile buffer V { uint v[]; };
layout(std430, binding = 2) coherent restrict buffer C { uint c[]; };
shared uint flag;
void main() {
    uint i = gl_LocalInvocationIndex;
    atomicStore(flag, 1u, gl_ScopeWorkgroup, gl_StorageSemanticsShared, gl_SemanticsRelease);
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsShared | gl_StorageSemanticsBuffer, gl_SemanticsAcquireRelease);
    uint f = atomicLoad(flag, gl_ScopeWorkgroup, gl_StorageSemanticsShared, gl_SemanticsAcquire);
    o[i] = f + v[i] + c[i];
    v[i] = f; c[i] = i;
    memoryBarrier(gl_ScopeDevice, gl_StorageSemanticsBuffer, gl_SemanticsAcquireRelease);
}
