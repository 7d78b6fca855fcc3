#include "fuzz/harnesses.h"

#include <millrace/nn/model_json.h>

#include <stdexcept>

namespace millrace::test {

void fuzz_model(Input input) {
  survive([&] {
    const std::string text = nn::to_json(nn::model_from_json(text_of(input)));
    std::string again;
    try {
      again = nn::to_json(nn::model_from_json(text));
    } catch (const Error& error) {
      throw std::logic_error("what was written is not read: " + std::string(error.what()));
    }
    if (again != text) throw std::logic_error("what was written is read as another model");
  });
}

}  // namespace millrace::test
