"""A program that nobody here wrote, on our driver: ncnn (from PyPI) runs a small convolutional network with random
weights on the Vulkan device and again on its own CPU path, and the two must agree.

Exit code 0: agreed. 1: they differ, or ncnn found no device. VK_DRIVER_FILES decides which driver is used.
"""
import sys
import tempfile
import time
from pathlib import Path

import ncnn
import numpy as np

# name, input channels, output channels, kernel, stride, pad
CONVOLUTIONS = [("conv1", 3, 16, 3, 1, 1), ("conv2", 16, 32, 3, 2, 1), ("conv3", 32, 48, 1, 1, 0), ("conv4", 48, 64, 5, 2, 2)]
SIZE = 64
CLASSES = 37


def describe():
    """The network in ncnn's text form, and its weights in ncnn's binary form (flag 0 = raw 32-bit floats)."""
    rng = np.random.default_rng(20240229)
    layers, weights, blob, blobs = [], [], "data", 1
    layers.append(f"Input data 0 1 data 0={SIZE} 1={SIZE} 2=3")
    for name, cin, cout, k, stride, pad in CONVOLUTIONS:
        count = cin * cout * k * k
        layers.append(f"Convolution {name} 1 1 {blob} {name} 0={cout} 1={k} 3={stride} 4={pad} 5=1 6={count} 9=1")
        scale = (2.0 / (cin * k * k)) ** 0.5
        weights += [np.zeros(1, "<u4"), rng.normal(0, scale, count).astype("<f4"), rng.normal(0, 0.1, cout).astype("<f4")]
        blob, blobs = name, blobs + 1
        if name == "conv2":
            layers.append("Split split 1 2 conv2 left right")
            layers.append("ConvolutionDepthWise dw 1 1 left dw 0=32 1=3 4=1 5=1 6=288 7=32")
            weights += [np.zeros(1, "<u4"), rng.normal(0, 0.3, 288).astype("<f4"), rng.normal(0, 0.1, 32).astype("<f4")]
            layers.append("Sigmoid gate 1 1 right gate")
            layers.append("BinaryOp mul 2 1 dw gate mul 0=2")
            blob, blobs = "mul", blobs + 5
    layers.append(f"Pooling pool 1 1 {blob} pool 0=0 1=3 2=2")
    layers.append("Pooling gap 1 1 pool gap 0=1 4=1")
    layers.append(f"InnerProduct fc 1 1 gap fc 0={CLASSES} 1=1 2={64 * CLASSES}")
    weights += [np.zeros(1, "<u4"), rng.normal(0, 0.4, 64 * CLASSES).astype("<f4"), rng.normal(0, 0.1, CLASSES).astype("<f4")]
    layers.append("Softmax prob 1 1 fc prob 0=0")
    blobs += 4
    text = "7767517\n" + f"{len(layers)} {blobs}\n" + "\n".join(layers) + "\n"
    return text, b"".join(w.tobytes() for w in weights)


def run(folder, image, vulkan, half):
    net = ncnn.Net()
    net.opt.use_vulkan_compute = vulkan
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = half
    net.opt.use_bf16_storage = False
    if net.load_param(str(folder / "net.param")) or net.load_model(str(folder / "net.bin")):
        sys.exit("ncnn refused the network")
    times, out = [], None
    for _ in range(3):
        start = time.perf_counter()
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(image))
        code, mat = extractor.extract("prob")
        if code:
            sys.exit(f"extract failed: {code}")
        out = np.array(mat)
        times.append(time.perf_counter() - start)
    return out, min(times) * 1e3


def main():
    count = ncnn.get_gpu_count()
    if count == 0:
        print("ncnn sees no Vulkan device")
        return 1
    print(f"ncnn {ncnn.__version__} on {ncnn.get_gpu_info(0).device_name()}")
    image = np.random.default_rng(7).uniform(-1, 1, (3, SIZE, SIZE)).astype(np.float32)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        text, weights = describe()
        (folder / "net.param").write_text(text)
        (folder / "net.bin").write_bytes(weights)
        want, cpu_ms = run(folder, image, vulkan=False, half=False)
        for half, tolerance in ((False, 1e-4), (True, 2e-2)):
            got, gpu_ms = run(folder, image, vulkan=True, half=half)
            difference = float(np.abs(got - want).max())
            same = got.shape == want.shape and bool(np.isfinite(got).all()) and difference <= tolerance
            same = same and abs(float(got.sum()) - 1.0) < 1e-2 and int(got.argmax()) == int(want.argmax())
            good = good and same
            kind = "fp16" if half else "fp32"
            print(f"{kind}: {'agrees' if same else 'DIFFERS'}, largest difference {difference:.2e} (allowed {tolerance:.0e}), "
                  f"class {int(got.argmax())}, {gpu_ms:.1f} ms on the device, {cpu_ms:.1f} ms on the CPU path")
    ncnn.destroy_gpu_instance()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
