// How pictures are read belongs to the model: turned as EXIF says, put on a background, bounded in
// pixels; alike in train, evaluate and predict.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <algorithm>
#include <cstddef>
#include <map>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
