//! A small square matrix: as much of it as a distance with covariance needs.

/// Rows times columns in one list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    n: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn identity(n: usize) -> Self {
        let values = (0..n * n)
            .map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 })
            .collect();
        Self { n, values }
    }

    fn get(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.n + column]
    }

    pub(crate) fn set(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.n + column] = value;
    }

    /// `vᵀ M v`.
    pub(crate) fn quadratic(&self, v: &[f64]) -> f64 {
        let row = |i: usize| (0..self.n).map(|j| self.get(i, j) * v[j]).sum::<f64>();
        (0..self.n).map(|i| v[i] * row(i)).sum()
    }

    /// The inverse, by Gauss and Jordan with pivots; none if there is none.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let (mut left, mut right) = (self.clone(), Self::identity(self.n));
        for column in 0..self.n {
            let size = |row: &usize| left.get(*row, column).abs();
            let pivot = (column..self.n).max_by(|a, b| size(a).total_cmp(&size(b)))?;
            if left.get(pivot, column).abs() < 1e-12 {
                return None;
            }
            left.swap(pivot, column);
            right.swap(pivot, column);
            let by = 1.0 / left.get(column, column);
            left.scale(column, by);
            right.scale(column, by);
            for row in (0..self.n).filter(|row| *row != column) {
                let by = left.get(row, column);
                left.subtract(row, column, by);
                right.subtract(row, column, by);
            }
        }
        Some(right)
    }

    fn swap(&mut self, a: usize, b: usize) {
        for column in 0..self.n {
            self.values.swap(a * self.n + column, b * self.n + column);
        }
    }

    fn scale(&mut self, row: usize, by: f64) {
        for column in 0..self.n {
            self.set(row, column, self.get(row, column) * by);
        }
    }

    fn subtract(&mut self, row: usize, other: usize, by: f64) {
        for column in 0..self.n {
            self.set(
                row,
                column,
                self.get(row, column) - by * self.get(other, column),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_changes_nothing() {
        let mut matrix = Matrix::identity(3);
        for (i, value) in [0.0, 0.4, -0.2, 0.4, 2.0, 0.1, -0.2, 0.1, 1.0]
            .into_iter()
            .enumerate()
        {
            matrix.set(i / 3, i % 3, value);
        }
        let inverse = matrix.inverse().unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| matrix.get(i, k) * inverse.get(k, j)).sum();
                let wanted = if i == j { 1.0 } else { 0.0 };
                assert!((product - wanted).abs() < 1e-12, "{i} {j} {product}");
            }
        }
        let mut flat = Matrix::identity(2);
        flat.set(1, 0, 1.0);
        flat.set(0, 1, 1.0);
        assert!(flat.inverse().is_none());
    }
}
