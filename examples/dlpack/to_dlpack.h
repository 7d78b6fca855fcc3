#pragma once
// A batch as a DLManagedTensor of DLPack, the struct by which libraries lend each other tensors.

#include <millrace/core/shape.h>
#include <millrace/pipeline/pool.h>

#include <dlpack/dlpack.h>

#include <array>
#include <memory>
#include <utility>

inline DLDataType dlpack_type(millrace::DType type) {
  using millrace::DType;
  const DLDataTypeCode code = type == DType::u8     ? kDLUInt
                              : type == DType::i32  ? kDLInt
                              : type == DType::bf16 ? kDLBfloat
                                                    : kDLFloat;
  return {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(8 * size_of(type)), 1};
}

/// The tensor that `view` shows, in the memory of the slot that `lease` holds: nothing is copied,
/// and the slot stays taken until the deleter is called. Whoever gets the tensor calls it, once,
/// from any thread.
template <class T>
DLManagedTensor* to_dlpack(millrace::Lease<T> lease, const millrace::ConstTensorView& view) {
  struct Lent {
    DLManagedTensor tensor{};
    millrace::Lease<T> lease;
    std::array<std::int64_t, millrace::Shape::kMaxRank> shape{};
  };
  auto lent = std::make_unique<Lent>();
  lent->lease = std::move(lease);
  for (int i = 0; i < view.shape.rank(); ++i) {
    lent->shape[static_cast<std::size_t>(i)] = view.shape[i];
  }
  DLTensor& tensor = lent->tensor.dl_tensor;
  // DLPack cannot mark a tensor as read-only; do not write to it if other stages read the batch.
  tensor.data = const_cast<std::byte*>(view.data);
  tensor.device = {kDLCPU, 0};
  tensor.ndim = view.shape.rank();
  tensor.dtype = dlpack_type(view.dtype);
  tensor.shape = lent->shape.data();
  tensor.strides = nullptr;  // dense, the last dimension fastest
  lent->tensor.manager_ctx = lent.get();
  lent->tensor.deleter = [](DLManagedTensor* self) {
    delete static_cast<Lent*>(self->manager_ctx);
  };
  return &lent.release()->tensor;
}
