import pytest
import torch

from course_lib.measure import nearest


def test_the_nearest_picture_to_a_copy_is_the_original():
    pictures = torch.rand(50, 3, 8, 8) * 2 - 1
    distance, index = nearest(pictures[[7, 3]], pictures, count=2)
    assert index[:, 0].tolist() == [7, 3] and distance.shape == (2, 2)
    assert distance[:, 0].max() < 1e-3 and (distance[:, 1] > 0.1).all()


def test_the_distance_is_the_root_mean_square_difference():
    x, pictures = torch.full((1, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), -0.25)
    assert nearest(x, pictures)[0].item() == pytest.approx(0.75)


def test_wrong_shapes_and_counts_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        nearest(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 4, 4))
    with pytest.raises(ValueError, match="from 1 to 2"):
        nearest(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8), count=3)
