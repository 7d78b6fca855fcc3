"""The small network of which Keras's weight files are recorded, for any Keras: record_keras_weights.py,
record_tf_keras.py."""


def small_network(keras):
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, padding="same", activation="relu", name="first"),
        layers.BatchNormalization(name="norm", epsilon=1e-3),
        layers.MaxPooling2D(name="pool"),
        layers.Conv2D(5, 3, name="second"),
        layers.Flatten(name="flat"),
        layers.Dense(6, activation="relu", name="hidden"),
        layers.Dense(3, activation="softmax", name="classes")])
