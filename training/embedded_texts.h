#pragma once
// Files of this folder that are a part of the program; CMake makes the source of it.

namespace millrace {

extern const char* const kKnownWeightsText;     ///< known_weights.txt
extern const char* const kImagenetClassesText;  ///< imagenet_classes.txt, a name a line

}  // namespace millrace
