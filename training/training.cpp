#include <millrace/training/training.h>

#include <millrace/training/training_state.h>

namespace millrace {

Feed& Training::feed_now() const {
  const bool is_later = state->is_unfrozen() || state->next.epoch + 1 >= spec.model.unfreeze_at;
  return later != nullptr && is_later ? *later : *feed;
}

}  // namespace millrace
