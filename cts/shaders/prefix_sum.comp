#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
// Inclusive prefix sum in three steps, by one kernel with a specialisation constant:
// step 0 scans blocks and stores each block's sum, step 1 scans the sums (one block), step 2 adds them to the blocks.
layout(local_size_x = 256) in;
layout(constant_id = 0) const uint STEP = 0;
layout(set = 0, binding = 0) buffer Data { uint data[]; };
layout(set = 0, binding = 1) buffer Sums { uint sums[]; };
layout(push_constant) uniform Size { uint count; };

shared uint partial[64];

uint scan_block(uint value) {
    uint inclusive = subgroupInclusiveAdd(value);
    if (gl_SubgroupInvocationID == gl_SubgroupSize - 1) {
        partial[gl_SubgroupID] = inclusive;
    }
    barrier();
    uint before = 0;
    for (uint i = 0; i < gl_SubgroupID; i++) {
        before += partial[i];
    }
    return before + inclusive;
}

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (STEP == 2) {
        if (i < count && gl_WorkGroupID.x > 0) {
            data[i] += sums[gl_WorkGroupID.x - 1];
        }
        return;
    }
    uint value = 0;
    if (i < count) {
        value = STEP == 0 ? data[i] : sums[i];
    }
    uint scanned = scan_block(value);
    if (i < count) {
        if (STEP == 0) {
            data[i] = scanned;
        } else {
            sums[i] = scanned;
        }
    }
    if (STEP == 0 && gl_LocalInvocationIndex == 255) {
        sums[gl_WorkGroupID.x] = scanned;
    }
}
