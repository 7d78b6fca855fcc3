#pragma once
// How Keras lays out weights in an HDF5 file. Keras 2, also what Keras 3 writes as plain .h5: a
// group a layer, in the order of the root's attribute layer_names, with the names of its data sets
// in the attribute weight_names; lists that are too long are cut into layer_names0, layer_names1,
// ... A saved model has all of it in the group model_weights. Keras 3, .weights.h5: groups named by
// the classes of the layers, layers/conv2d_1/vars, with data sets 0, 1, ... and the layer's own
// name as attribute.

#include <millrace/io/hdf5.h>

#include <string>
#include <vector>

namespace millrace::detail {

struct KerasTensor {
  std::string name;  ///< "block1_conv1/kernel"
  const Hdf5File::Dataset* dataset = nullptr;
};
struct KerasLayer {
  std::string name;
  std::string kind;                  ///< "conv2d" of "layers/conv2d_1/vars" or of "conv2d_1"
  std::vector<KerasTensor> tensors;  ///< none for a layer without weights
};
struct KerasLayers {
  std::vector<KerasLayer> layers;
  bool is_in_order = false;        ///< that of the model; Keras 3 has one for each class alone
  bool is_channels_first = false;  ///< a saved model says that its images are
};

/// All layers. A model within the model is taken apart into its layers with weights. Throws Error
/// naming the file and what is missing.
[[nodiscard]] KerasLayers keras_layers(const Hdf5File& file);

}  // namespace millrace::detail
