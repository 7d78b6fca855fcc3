#pragma once
// What is listed of an HDF5 file.

#include <millrace/core/shape.h>

#include <map>
#include <string>
#include <vector>

namespace millrace {

using Hdf5Strings = std::vector<std::string>;

struct Hdf5Dataset {
  std::string path;  ///< "block1_conv1/kernel:0", without a slash in front
  std::string type;  ///< "F32", "F16", ...; "I64", "text", "other" are listed and cannot be read
  Shape shape;
};

struct Hdf5Group {
  std::string path;                               ///< "" for the root
  std::map<std::string, Hdf5Strings> attributes;  ///< those of text: one or a list
};

struct Hdf5Contents {
  std::vector<Hdf5Group> groups;
  std::vector<Hdf5Dataset> datasets;
};

}  // namespace millrace
