#pragma once
// What may be said of a model of the zoo besides its name.

#include <millrace/nn/model.h>

namespace millrace::nn {

struct ZooOptions {
  /// Dropout and stochastic depth at the rates of the source. They change no name and no weight.
  bool dropout = true;
  /// The network as keras.applications builds it, where that is another one than torchvision's: the
  /// header of the family tells the differences.
  bool keras = false;
  double width = 1;  ///< factor of the channels; mobilenet_v2 alone
  Initializer initializer = Initializer::glorot_uniform;
};

}  // namespace millrace::nn
