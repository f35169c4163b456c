"""An image made and filtered by plain loops over a bytearray."""

from support import main

WIDTH = HEIGHT = 64


def clamp(value):
    return 0 if value < 0 else 255 if value > 255 else value


def paint(image, phase):
    for y in range(HEIGHT):
        for x in range(WIDTH):
            image[y * WIDTH + x] = clamp((x * x + y * phase) // 9 % 300 - 20)


def blur(source, target):
    for y in range(1, HEIGHT - 1):
        for x in range(1, WIDTH - 1):
            at = y * WIDTH + x
            total = 0
            for dy in (-WIDTH, 0, WIDTH):
                for dx in (-1, 0, 1):
                    total += source[at + dy + dx]
            target[at] = clamp(total // 9)


def run(n):
    """n images; a checksum."""
    total = 0
    for i in range(n):
        image, target = bytearray(WIDTH * HEIGHT), bytearray(WIDTH * HEIGHT)
        paint(image, i)
        blur(image, target)
        total += sum(target)
    return total


main(run)
